"""Case `app`: what a planner waits for, measured in a headless browser. Read `run` first."""
