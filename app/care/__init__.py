"""Care of a workspace: what is wrong in it and how it is mended, back-up and restore, and what can go.

Read `findings` (what an examination tells), `doctor` (all checks, in order), `run_checks` and `room_checks` (the
checks), `quarantine` (where damaged things are put), then `backup`, `restore` and `pruning`.
"""
