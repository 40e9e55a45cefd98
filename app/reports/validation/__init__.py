"""The validation report: what was measured against theory, other simulators, experiments and real readings.

Read `parts` (what is measured, by which benchmark), `making` (run them, keep what was skipped and why), `writing` (the
document). No number is typed: each comes from the same functions that `zonewise benchmark` and the tests call.
"""

from app.reports.validation.making import Part, Validation, validate
from app.reports.validation.writing import document, write

__all__ = ["Part", "Validation", "document", "validate", "write"]
