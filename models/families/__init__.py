"""Families: the kinds of small model that a zone can have, and the pooled one of the city stands on the same ground.

Read `learned` (what all share), `linear` (ridge), `tree` (a decision tree with rules in words), then `boosting`
(XGBoost on what the line leaves over).
"""
