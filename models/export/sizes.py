"""Sizes: what a C compiler makes of an exported micromodel, and whether it forecasts as the model does.

The compiler is the machine's own; a microcontroller's has other instructions of about the same size. `libm` is not
counted.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import SettingsError
from models.export.c_source import CFiles

FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Os", "-ffunction-sections")
_TRIAL = r"""
#include "zw_model.h"
#include <math.h>
#include <stdio.h>
static zw_state state;
int main(void)
{
    char kind;
    long long time;
    int side;
    double value, more;
    float out[ZW_HORIZONS][ZW_QUANTILES];
    printf("%lu\n", (unsigned long)sizeof(zw_state));
    zw_init(&state);
    while (scanf(" %c %lld %d %lf %lf", &kind, &time, &side, &value, &more) == 5) {
        int h, q, got = 0;
        if (kind == 'p')
            got = zw_push(&state, (float)value, time);
        else if (kind == 'h')
            got = zw_hear(&state, side, value, time);
        else if (kind == 'w')
            got = zw_wind(&state, value, more, time);
        else if (kind == 'f') {
            got = zw_forecast(&state, out);
            for (h = 0; h < ZW_HORIZONS; h++)
                for (q = 0; q < ZW_QUANTILES; q++)
                    printf("%.9g ", (double)out[h][q]);
            printf("\n");
        }
        if (got)
            printf("! %d\n", got);
    }
    return 0;
}
"""


@dataclass(frozen=True)
class Sizes:
    """What a micromodel takes on a device.

    Attributes
    ----------
    flash : int
        Bytes of code and constants (`text` and `data` of `size`), without libm.
    ram : int
        Bytes of the state, and of the deepest stack: the sum over all functions, which is above what can happen.
    state, stack : int
        The two apart.
    operations : int
        Of a forecast, at most.
    """

    flash: int
    ram: int
    state: int
    stack: int
    operations: int


class Compiled:
    """A generated micromodel, compiled into a folder with a trial program that feeds it.

    Parameters
    ----------
    files : CFiles
    folder : Path
        Exists; `zw_model.h`, `zw_model.c` and what is made of them are put there.

    Raises
    ------
    SettingsError
        If there is no C compiler, or it finds a fault.
    """

    def __init__(self, files: CFiles, folder: Path) -> None:
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            raise SettingsError("no C compiler (gcc or cc) is on the path; install one (Debian: apt-get install gcc)")
        self.files, self.folder = files, folder
        for name, text in (("zw_model.h", files.header), ("zw_model.c", files.source), ("trial.c", _TRIAL)):
            (folder / name).write_text(text)
        self._run(compiler, *FLAGS, "-fstack-usage", "-c", "zw_model.c", "-o", "zw_model.o")
        self._run(compiler, *FLAGS, "zw_model.o", "trial.c", "-lm", "-o", "trial")

    def sizes(self) -> Sizes:
        """Measured."""
        told = self._run("size", "zw_model.o").splitlines()[1].split()
        usage = (self.folder / "zw_model.su").read_text()
        stack = sum(int(line.split("\t")[1]) for line in usage.splitlines())
        state = int(self._run(str(self.folder / "trial"), given="").split()[0])
        flash = int(told[0]) + int(told[1])
        return Sizes(flash, state + stack, state, stack, self.files.operations)

    def replay(self, commands: Iterable[str]) -> tuple[np.ndarray, list[int]]:
        """Forecasts (n, S, Q) that the commands ask for, and results that were not `ZW_OK`.

        Parameters
        ----------
        commands : iterable of str
            `p TIME 0 READING 0` a reading, `h TIME SIDE VALUE 0` what a side tells, `w TIME 0 SPEED FROM` wind,
            `f 0 0 0 0` a forecast.
        """
        lines = self._run(str(self.folder / "trial"), given="\n".join(commands)).splitlines()[1:]
        faults = [int(line[2:]) for line in lines if line.startswith("!")]
        rows = [line.split() for line in lines if not line.startswith("!")]
        shape = (len(rows), len(self.files.steps), len(self.files.levels))
        return np.array(rows, dtype=float).reshape(shape), faults

    def _run(self, *command: str, given: str | None = None) -> str:
        done = subprocess.run(command, cwd=self.folder, input=given, capture_output=True, text=True, check=False)
        if done.returncode:
            fault = re.sub(r"\s+", " ", done.stderr)[:500]
            raise SettingsError(f"{Path(command[0]).name} failed on the generated C: {fault}")
        return done.stdout
