//! The project's own tasks: set-up, up, test, bench, tidy.

fn main() {}
