"""The viewer: a model, trained or in training, rendered live in a browser."""
