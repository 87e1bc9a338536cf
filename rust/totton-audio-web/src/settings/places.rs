//! Where the page is served: addresses, each on the interface that it is meant for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::Settings;
use crate::listen::{Interface, Place};

impl Settings {
    /// Where to listen: loopback addresses on the device's own interface, the others on the USB
    /// network's, 0.0.0.0 and :: on both; on other networks every IPv4 address. No IPv6 there: an
    /// IPv6 address may be reachable from the whole Internet.
    pub fn places(&self) -> Vec<Place> {
        let mut places = BTreeMap::<&Interface, BTreeSet<IpAddr>>::new();
        let loopback = Interface::loopback();
        for host in &self.hosts {
            if host.is_loopback() || host.is_unspecified() {
                places.entry(&loopback).or_default().insert(*host);
            }
            if !host.is_loopback() {
                places.entry(&self.interface).or_default().insert(*host);
            }
        }
        for interface in &self.other_interfaces {
            places.entry(interface).or_default().insert(Ipv4Addr::UNSPECIFIED.into());
        }
        let place = |(interface, addresses): (&Interface, BTreeSet<IpAddr>)| Place {
            interface: interface.clone(),
            // Every address of a family has its single ones in it.
            addresses: addresses
                .iter()
                .filter(|address| {
                    let every = addresses.iter().any(|other| {
                        other.is_unspecified() && other.is_ipv4() == address.is_ipv4()
                    });
                    address.is_unspecified() || !every
                })
                .copied()
                .collect(),
            port: self.port,
            needs_password: self.other_interfaces.contains(interface),
        };
        places.into_iter().map(place).collect()
    }
}
