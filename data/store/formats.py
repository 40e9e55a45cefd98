"""Format versions: every stored file of ours says which one it is, and a newer one than this release knows is refused.

Run manifests are of format 2 since they carry the SHA-256 of every file; format 1 is read as it is, and
`zonewise doctor --migrate` turns it into 2. Format 1 of `workspace.json`, of the notes of observations and of a
registry's standings is the first that names itself: what has no version was written before, and is the same.
"""

from __future__ import annotations

from data.errors import StoreError

#: Newest format that this release reads, and the one that it writes.
MANIFEST, WORKSPACE, OBSERVED, BACKUP = 2, 1, 1, 1


class NewerFormatError(StoreError):
    """A file was written by a newer release."""


def check_format(found: object, newest: int, what: str) -> int:
    """The format of a file; `found` is what the file says, None where it says nothing (format 1 or earlier).

    Raises
    ------
    NewerFormatError
        If it is newer than what this release reads.
    StoreError
        If it is no format at all.

    Examples
    --------
    >>> check_format(None, 2, "x"), check_format(2, 2, "x")
    (1, 2)
    """
    if found is None:
        return 1
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise StoreError(f"{what} is damaged: its format version is {found!r}; see 'zonewise doctor'")
    if found > newest:
        raise NewerFormatError(
            f"{what} is of format {found}, this release reads {newest} and older ones: it was written by a newer"
            " Zonewise. Use that release, or restore a back-up of this one ('zonewise restore')"
        )
    return found
