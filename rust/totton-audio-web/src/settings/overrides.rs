//! What the environment overrides; the unit has an `EnvironmentFile=` for it.

use std::env::VarError;
use std::net::IpAddr;

use super::raw;
use crate::error::Error;

const HOST: &str = "TOTTON_AUDIO_WEB_HOST";
const PORT: &str = "TOTTON_AUDIO_WEB_PORT";

/// Values from the environment; a variable that is absent or empty overrides nothing.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Overrides {
    pub(super) hosts: Option<Vec<IpAddr>>,
    pub(super) port: Option<u16>,
}

impl Overrides {
    /// Reads `TOTTON_AUDIO_WEB_HOST` and `TOTTON_AUDIO_WEB_PORT`.
    ///
    /// # Errors
    /// [`Error::Environment`] when one holds something that is not accepted.
    pub fn from_environment() -> Result<Self, Error> {
        let value = |name| match std::env::var(name) {
            Ok(text) => Ok(Some(text)),
            Err(VarError::NotPresent) => Ok(None),
            Err(error) => Err(Error::Environment { name, reason: error.to_string() }),
        };
        Self::from_values(value(HOST)?.as_deref(), value(PORT)?.as_deref())
    }

    /// The same from given texts.
    ///
    /// # Errors
    /// As [`from_environment`](Self::from_environment).
    pub fn from_values(hosts: Option<&str>, port: Option<&str>) -> Result<Self, Error> {
        let given = |text: Option<&str>| {
            text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let hosts = given(hosts)
            .map(|text| text.split(',').map(|host| raw::address(host.trim())).collect())
            .transpose()
            .map_err(|reason| Error::Environment { name: HOST, reason })?;
        let port = given(port)
            .map(|text| match text.parse() {
                Ok(number) => raw::port(number),
                Err(_) => Err(format!("found {text:?}; accepted: 0 to 65535")),
            })
            .transpose()
            .map_err(|reason| Error::Environment { name: PORT, reason })?;
        Ok(Self { hosts, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_overrides_nothing() {
        assert_eq!(Overrides::from_values(Some(""), Some(" ")).unwrap(), Overrides::default());
    }

    #[test]
    fn a_bad_variable_is_named() {
        let text = Overrides::from_values(Some("usb0"), None).unwrap_err().to_string();
        assert!(text.contains(HOST) && text.contains("\"usb0\""), "{text}");
        for bad in ["http", "65536", "-1"] {
            let text = Overrides::from_values(None, Some(bad)).unwrap_err().to_string();
            assert!(text.contains(PORT) && text.contains(bad), "{text}");
        }
    }
}
