"""The half of a job that works: loads models and JAX, writes parts, publishes the result. No other room imports it."""
