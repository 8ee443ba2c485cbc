"""Container engines behind one seam: `docker` is what users run, `simulated` is for tests and scale runs."""
