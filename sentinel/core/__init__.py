"""The pure core: no await, no clock, no I/O, no logging. The same input gives the same effects."""
