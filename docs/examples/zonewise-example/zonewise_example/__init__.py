"""A family, a measure, a partition and a reader for Zonewise, each in a file of its own."""
