"""Parts of pages: the map and the time bar (own JavaScript in `assets/`), tables, badges, figures, states."""
