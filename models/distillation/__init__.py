"""Distillation: a citywide model or a whole ensemble, taught to one small model a zone.

Read `teacher` (what the teacher says of every training row that it has not learned from) and `student` (a forecaster
that learns from that and from what really followed). The student stands alone: nothing of the teacher is stored in it.
"""

from __future__ import annotations

from models.distillation.student import DistilledForecaster, distil
from models.distillation.teacher import Lesson, Teacher

__all__ = ["DistilledForecaster", "Lesson", "Teacher", "distil"]
