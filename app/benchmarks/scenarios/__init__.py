"""Case `scenarios`: how sure a study is, and how well previews, searches and warnings serve. Read `run` first."""
