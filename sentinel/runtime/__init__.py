"""What every part of the shell needs: clock, logging, metrics, supervision."""
