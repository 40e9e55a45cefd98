"""Charts: pure functions of a view table and a theme. Read `style` (colours of both themes), then any other."""
