//! What a command would write, printed instead of written.
//!
//! What would have been written is read back from here, so that a command takes the way that it
//! would take.

use std::collections::{BTreeMap, HashMap};
use std::io;

use crate::orin::{Board, Variable};
use crate::slot::Slot;
use crate::systemd_boot::Esp;

pub struct DryRun<T> {
    inner: T,
    variables: HashMap<Variable, Option<Vec<u8>>>,
    register: Option<u32>,
    capsule: Option<bool>,
    files: BTreeMap<String, Option<Vec<u8>>>,
}

impl<T> DryRun<T> {
    pub fn new(inner: T) -> DryRun<T> {
        DryRun {
            inner,
            variables: HashMap::new(),
            register: None,
            capsule: None,
            files: BTreeMap::new(),
        }
    }
}

fn tell(what: &str) {
    println!("dry run: {what}");
}

impl<B: Board> Board for DryRun<B> {
    fn running(&self) -> Slot {
        self.inner.running()
    }

    fn read(&self, variable: Variable) -> io::Result<Option<Vec<u8>>> {
        match self.variables.get(&variable) {
            Some(value) => Ok(value.clone()),
            None => self.inner.read(variable),
        }
    }

    fn write(&mut self, variable: Variable, value: &[u8]) -> io::Result<()> {
        tell(&format!("EFI variable {} := {value:02x?}", variable.name()));
        self.variables.insert(variable, Some(value.to_vec()));
        Ok(())
    }

    fn delete(&mut self, variable: Variable) -> io::Result<()> {
        if self.read(variable)?.is_some() {
            tell(&format!("EFI variable {} deleted", variable.name()));
        }
        self.variables.insert(variable, None);
        Ok(())
    }

    fn register(&self) -> io::Result<u32> {
        self.register.map_or_else(|| self.inner.register(), Ok)
    }

    fn set_register(&mut self, bits: u32) -> io::Result<()> {
        tell(&format!("retry register := {bits:#010x}"));
        self.register = Some(bits);
        Ok(())
    }

    fn firmware_version(&self) -> Option<u32> {
        self.inner.firmware_version()
    }

    fn capsule_brought(&self) -> bool {
        self.inner.capsule_brought()
    }

    fn place_capsule(&mut self) -> io::Result<()> {
        tell("the capsule copied to the ESP");
        self.capsule = Some(true);
        Ok(())
    }

    fn capsule_placed(&self) -> bool {
        self.capsule.unwrap_or_else(|| self.inner.capsule_placed())
    }

    fn remove_capsule(&mut self) -> io::Result<()> {
        tell("the capsule on the ESP removed");
        self.capsule = Some(false);
        Ok(())
    }
}

impl<E: Esp> Esp for DryRun<E> {
    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = self.inner.names(folder)?;
        for (path, bytes) in &self.files {
            let Some(name) = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'))
            else {
                continue;
            };
            names.retain(|other| other != name);
            if bytes.is_some() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match self.files.get(path) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.inner.read(path),
        }
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        tell(&format!("{path} on the ESP:\n{}", String::from_utf8_lossy(bytes)));
        self.files.insert(path.to_owned(), Some(bytes.to_vec()));
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        tell(&format!("{from} on the ESP renamed to {to}"));
        let bytes = Esp::read(self, from)?;
        self.files.insert(to.to_owned(), bytes);
        self.files.insert(from.to_owned(), None);
        Ok(())
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        tell(&format!("{path} on the ESP removed"));
        self.files.insert(path.to_owned(), None);
        Ok(())
    }

    fn kernel_brought(&self) -> bool {
        self.inner.kernel_brought()
    }

    fn place_kernel(&mut self, path: &str) -> io::Result<()> {
        tell(&format!("the kernel copied to {path} on the ESP"));
        self.files.insert(path.to_owned(), Some(b"kernel".to_vec()));
        Ok(())
    }

    fn filled(&self, path: &str) -> io::Result<bool> {
        match self.files.get(path) {
            Some(bytes) => Ok(bytes.as_ref().is_some_and(|bytes| !bytes.is_empty())),
            None => self.inner.filled(path),
        }
    }
}
