"""Where a run's numbers and images go: the console, history.csv and TensorBoard."""
