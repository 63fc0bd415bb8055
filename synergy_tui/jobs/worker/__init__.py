"""The half of a job that works: loads models and JAX, writes shards, publishes the result. Imported by nobody."""
