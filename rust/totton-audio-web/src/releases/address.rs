//! The address of an update feed.

use serde::{Deserialize, Serialize};
use totton_releases::INDEX;
use url::{Host, Url};
use utoipa::ToSchema;

const LONGEST: usize = 300;

/// The folder of an update feed: `https://example.org/totton/`. It ends with a slash, and has no
/// character that means anything in a `Content-Security-Policy`, where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "https://example.org/totton/")]
pub struct FeedAddress(String);

impl FeedAddress {
    /// The address, as a browser writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for FeedAddress {
    type Error = String;

    fn try_from(found: String) -> Result<Self, String> {
        let refused = |accepted: &str| {
            let shown: String = found.chars().take(80).collect();
            Err(format!("address: found {shown:?}; accepted: {accepted}"))
        };
        let Some(url) = Some(found.trim()).filter(|text| text.len() <= LONGEST) else {
            return refused("at most 300 characters");
        };
        let Ok(mut url) = Url::parse(url) else {
            return refused("an address such as \"https://example.org/totton/\"");
        };
        if !matches!(url.scheme(), "https" | "http") {
            return refused("an address that begins with https:// or http://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("an address without a user's name or password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refused("an address without '?' and '#'");
        }
        let named = match url.host() {
            Some(Host::Domain(name)) => {
                name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
            }
            Some(Host::Ipv4(_)) => true,
            // A Content-Security-Policy cannot name it.
            Some(Host::Ipv6(_)) | None => false,
        };
        if !named {
            return refused("a server's name or its IPv4 address");
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
        if !url.path().bytes().all(plain) {
            return refused("a path of letters, digits and - . _ ~ /");
        }
        // Who pastes the list's own address means its folder.
        let path = url.path().strip_suffix(INDEX).unwrap_or(url.path()).to_owned();
        url.set_path(&if path.ends_with('/') { path } else { path + "/" });
        Ok(Self(url.into()))
    }
}

impl From<FeedAddress> for String {
    fn from(address: FeedAddress) -> Self {
        address.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        FeedAddress::try_from(text.to_owned()).map(String::from)
    }

    #[test]
    fn the_address_of_a_folder_is_taken_and_ends_with_a_slash() {
        for (found, address) in [
            ("https://example.org", "https://example.org/"),
            (" https://Example.org/totton ", "https://example.org/totton/"),
            ("http://10.0.0.2:8080/a/../b/", "http://10.0.0.2:8080/b/"),
            ("https://example.org/t/releases.signed", "https://example.org/t/"),
            ("https://日本語.example/", "https://xn--wgv71a119e.example/"),
        ] {
            assert_eq!(read(found).as_deref(), Ok(address));
        }
    }

    #[test]
    fn what_would_say_more_in_a_policy_or_is_no_folder_of_a_server_is_refused() {
        for bad in [
            "",
            "example.org",
            "ftp://example.org/",
            "javascript:alert(1)",
            "file:///etc/",
            "data:text/plain,x",
            "https://user@example.org/",
            "https://user:secret@example.org/",
            "https://example.org/?a",
            "https://example.org/#a",
            "https://*/",
            "https://*.example.org/",
            "https://a;script-src/",
            "https://a,b/",
            "https://'self'/",
            "https://[::1]/",
            "https://example.org/a;b/",
            "https://example.org/a,b/",
            "https://example.org/a b/",
            "https://example.org/%3b/",
            "https://example.org/*",
            &format!("https://example.org/{}", "x".repeat(300)),
        ] {
            let reason = read(bad).unwrap_err();
            assert!(reason.contains("accepted: ") && reason.len() < 300, "{reason}");
        }
    }
}
