"""Case `trust`: what holds under load, faults, hostile input and more than one process. A module a part."""
