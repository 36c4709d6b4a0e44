"""What spnb promises about speed and size, measured on this machine: `spnb bench`.

Every benchmark drives real parts (a sandbox process of its own, the official LiveKit SDK, real HTTP and MQTT) and
returns figures, each with its bar. Figures that compare two ways of doing a thing measure both in the same run.
"""

from __future__ import annotations

from spnb.bench.run import BENCHMARKS, run_benchmarks

__all__ = ["BENCHMARKS", "run_benchmarks"]
