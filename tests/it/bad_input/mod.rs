//! Files that are damaged, strange or not ours, and surroundings that do not let us work: a clear error, the exit code
//! that it stands for, and nothing changed.

mod noise;
mod surroundings;
mod vaults;
