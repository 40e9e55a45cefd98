"""What can go wrong when models are fitted, asked or stored; each error is also the builtin that fits it."""

from __future__ import annotations

from data.errors import ZonewiseError


class ModelError(ZonewiseError):
    """Root of the errors of this package."""


class PanelError(ModelError, ValueError):
    """Tables cannot be laid on one regular grid of times and zones."""


class ShortHistoryError(ModelError, ValueError):
    """Too little history to learn from, or none at all before the instant asked about."""


class NoDataError(ModelError, ValueError):
    """A zone has no readings of the target, so that nothing can be learned."""


class UnknownZoneError(ModelError, KeyError):
    """A zone that the panel or the model does not know."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class NotFittedError(ModelError, RuntimeError):
    """A forecaster was asked before it was fitted."""


class HorizonError(ModelError, ValueError):
    """A horizon that a forecaster does not reach."""


class ModelFileError(ModelError, ValueError):
    """Stored bytes of a model are damaged, incomplete or of another format."""


class RegistryError(ModelError, KeyError):
    """The registry holds no such model or version."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class AssignmentError(ModelError, ValueError):
    """An assignment made by hand cannot be followed."""


class SettingsError(ModelError, ValueError):
    """A family, or a setting of one, that does not exist or cannot have that value."""


class UnknownFamilyError(SettingsError):
    """A family that neither Zonewise nor an installed package has."""


class ScoresError(ModelError, ValueError):
    """Scores, origins, horizons or quantiles of intervals that do not fit together."""


class AlarmError(ModelError, KeyError):
    """An alarm that is not there, or cannot be acknowledged."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""
