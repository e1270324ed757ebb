//! Rotations with the real binary, real homes and a strict local AWS.

mod follow;
mod postgres;
mod random;
mod rig;
mod slots;
