//! The launcher's retry register.

use crate::slot::Slot;

/// The register at the physical address [`Register::ADDRESS`], as `L4TRootfsValidation.h` lays
/// it out: bits 15:0 a magic number, 17:16 the slot, 19:18 the starts left of slot b, 21:20
/// those of slot a, the rest reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Register {
    pub slot: Slot,
    pub a: u8,
    pub b: u8,
}

impl Register {
    /// `PcdRootfsRegisterBaseAddressT234`.
    pub const ADDRESS: u64 = 0x0C39_03A8;
    /// A register that the launcher sets up anew.
    pub const CLEAR: u32 = 0;
    const MAGIC: u32 = 0xFACE;

    /// None: no magic.
    pub fn from_bits(bits: u32) -> Option<Register> {
        let slot = Slot::from_number((bits >> 16) & 3).unwrap_or(Slot::A);
        (bits & 0xFFFF == Self::MAGIC).then_some(Register {
            slot,
            b: ((bits >> 18) & 3) as u8,
            a: ((bits >> 20) & 3) as u8,
        })
    }

    pub fn bits(self) -> u32 {
        Self::MAGIC
            | u32::from(self.slot.number()) << 16
            | u32::from(self.b & 3) << 18
            | u32::from(self.a & 3) << 20
    }

    /// `running` has the full number of starts, the other slot one.
    pub fn one_start_of_the_other(running: Slot) -> Register {
        match running {
            Slot::A => Register { slot: running, a: 3, b: 1 },
            Slot::B => Register { slot: running, a: 1, b: 3 },
        }
    }

    pub fn starts_left(self, slot: Slot) -> u8 {
        match slot {
            Slot::A => self.a,
            Slot::B => self.b,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_where_the_firmware_has_them() {
        let register = Register { slot: Slot::B, a: 3, b: 1 };
        assert_eq!(register.bits(), 0x0035_FACE);
        assert_eq!(Register::from_bits(0x0035_FACE), Some(register));
        assert_eq!(Register::from_bits(0xFFC0_0000 | 0x0035_FACE), Some(register), "reserved bits");
        assert_eq!(Register::from_bits(0x0035_FACF), None);
        assert_eq!(Register::from_bits(Register::CLEAR), None);
    }
}
