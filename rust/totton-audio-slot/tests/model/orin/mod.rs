//! A Jetson Orin.

mod behaviour;
mod chip;
mod firmware;
mod invariants;
mod mutations;
mod script;
mod system;
mod table;
mod world;

use crate::explore::explore;
use system::System;

const LIMIT: usize = 3_000_000;

#[test]
fn what_ships_holds() {
    let found = explore(&System::SHIPPED, LIMIT);
    println!("Orin: {found}");
    assert!(found.violation.is_none());
}
