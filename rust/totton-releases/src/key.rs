//! The public key that bundles and lists of releases are signed for.

use rsa::PublicKey;
use rsa::pkcs8::DecodePublicKey;
use rsa::pss::{Signature, VerifyingKey};
use rsa::signature::Verifier;
use sha2::Sha256;

use crate::Refused;

/// The largest file of a public key, in bytes; one of 4096 bits has 800.
pub const LARGEST: usize = 16 * 1024;

/// An RSA public key.
#[derive(Debug, Clone)]
pub struct Key(PublicKey);

impl Key {
    /// Reads the key as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    /// [`Refused::Key`] for everything else.
    pub fn from_pem(pem: &str) -> Result<Self, Refused> {
        if pem.len() > LARGEST {
            return Err(Refused::Key(format!("a public key has at most {LARGEST} bytes")));
        }
        // The rest of the file, such as a second key, is nothing that would be relied on.
        PublicKey::from_public_key_pem(pem.trim())
            .map(Self)
            .map_err(|error| Refused::Key(format!("this is no RSA public key in PEM: {error}")))
    }

    /// Whether `signature` (RSASSA-PSS, SHA-256, 32 bytes of salt) is this key's over `bytes`.
    #[must_use]
    pub fn signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let key = VerifyingKey::<Sha256>::new(self.0.clone());
        Signature::try_from(signature).is_ok_and(|signature| key.verify(bytes, &signature).is_ok())
    }
}
