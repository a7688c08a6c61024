"""The inference core: one scan over time, and the dynamics, observations, guides and encoders it joins."""
