//! Rotations with the real binary, real homes and a strict local AWS.

mod dev_app;
mod follow;
mod postgres;
mod random;
mod rig;
mod slots;
mod xero;
