"""The measurement behind `bench/run`: who is measured, with what, which rows there are, and what counts as met."""
