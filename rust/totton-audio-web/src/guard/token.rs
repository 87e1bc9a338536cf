//! Tokens of sessions and browsers: what a cookie holds, and what is kept of it.

use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// A new token: 256 random bits, hexadecimal.
///
/// # Errors
/// 500 when the kernel gives none.
pub fn new() -> Result<String, Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Problem::failed(format!("the kernel gives no random bits: {error}")))?;
    Ok(hexadecimal(&bytes))
}

/// What is kept of a token.
pub fn digest(token: &str) -> String {
    hexadecimal(&Sha256::digest(token.as_bytes()))
}

/// Bytes as hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
