"""Case `life`: many micromodels kept well, from their choice to the sensor they run on. Read `run` first."""
