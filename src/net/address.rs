//! Which addresses are public, and a resolver that leads to no others: what a client has named must
//! not reach into the operator's network. The decision is made on the resolved address, for the
//! connection that is then opened to it, so that no form of writing an address and no change of
//! the DNS gets around it.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use url::{Host, Url};

/// Looks up the addresses of a host and a port.
pub type Lookup = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Networks of IPv4 that are not public, as address and prefix length: the registry of special
/// purposes (RFC 6890 and its updates), multicast and the reserved rest.
const INTERNAL_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// What of IPv6 is given out for public use (2000::/3); all else is special or unassigned.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// Networks inside of it that are not public: protocol assignments with Teredo (whose embedded
/// address is the client's, behind a translator), documentation.
const INTERNAL_V6: [(Ipv6Addr, u32); 3] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];
/// The well-known prefix of NAT64 (RFC 6052): the last 32 bits are an IPv4 address.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
/// 6to4 (RFC 3056): the 32 bits behind the prefix are an IPv4 address.
const SIX_TO_FOUR: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16);

/// Returns whether an address is one of the public internet. One that carries an IPv4 address is
/// judged by that where a router would take it there.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !INTERNAL_V4.iter().any(|network| within_v4(ip, *network)),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(mapped) = ip.to_ipv4_mapped() {
        return is_public(mapped.into());
    }
    let bits = ip.to_bits();
    if within_v6(ip, NAT64) {
        return is_public(Ipv4Addr::from_bits(bits as u32).into());
    }
    if within_v6(ip, SIX_TO_FOUR) {
        return is_public(Ipv4Addr::from_bits((bits >> 80) as u32).into());
    }
    within_v6(ip, GLOBAL_V6) && !INTERNAL_V6.iter().any(|network| within_v6(ip, *network))
}

fn within_v4(ip: Ipv4Addr, (network, prefix): (Ipv4Addr, u32)) -> bool {
    (ip.to_bits() ^ network.to_bits()) >> (u32::BITS - prefix) == 0
}

fn within_v6(ip: Ipv6Addr, (network, prefix): (Ipv6Addr, u32)) -> bool {
    (ip.to_bits() ^ network.to_bits()) >> (u128::BITS - prefix) == 0
}

/// Returns whether a URL names an internal host without a look-up: by an address that is not
/// public, or as `localhost` (RFC 6761, section 6.3), and `allow_hosts` does not list it. Where any
/// other name leads is known only when it is called.
pub fn names_internal_host(url: &Url, allow_hosts: &[String]) -> bool {
    let internal = match url.host() {
        Some(Host::Ipv4(ip)) => !is_public(ip.into()),
        Some(Host::Ipv6(ip)) => !is_public(ip.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        None => false,
    };
    let port = url.port_or_known_default().unwrap_or_default();
    internal && !allows(allow_hosts, url.host_str().unwrap_or_default(), port)
}

/// Returns whether `allow_hosts` lists the host, by itself or with this port.
fn allows(allow_hosts: &[String], host: &str, port: u16) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    allow_hosts.iter().any(|allowed| {
        let allowed = allowed.to_ascii_lowercase();
        let with_port = allowed.strip_prefix(&host).and_then(|rest| rest.strip_prefix(':'));
        allowed == host || with_port.is_some_and(|given| given.parse() == Ok(port))
    })
}

/// Every address of the host is internal, so it is not connected to.
#[derive(Debug, thiserror::Error)]
#[error("the host has no public address")]
pub(crate) struct NotPublic;

/// A resolver that leaves out what is not public, but for hosts that are allowed.
pub(super) struct PublicResolver {
    lookup: Option<Lookup>,
    system: DefaultResolver,
    /// Hosts, or hosts with a port, without a dot at the end.
    allow_hosts: Vec<String>,
}

impl PublicResolver {
    /// Creates a resolver. `lookup` takes the place of the system's, where there is one.
    pub(crate) fn new(allow_hosts: &[String], lookup: Option<Lookup>) -> PublicResolver {
        PublicResolver {
            lookup,
            system: DefaultResolver::default(),
            allow_hosts: allow_hosts.to_vec(),
        }
    }

    fn look_up(
        &self,
        uri: &Uri,
        host: &str,
        port: u16,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let Some(lookup) = &self.lookup else {
            // A name that cannot be looked up is an I/O error without a kind of its own.
            return self.system.resolve(uri, config, timeout).map_err(|error| {
                let is_unknown = matches!(error, ureq::Error::Io(_));
                if is_unknown { ureq::Error::HostNotFound } else { error }
            });
        };
        let mut addresses = self.empty();
        for address in lookup(host, port)? {
            // As many as ureq keeps; what follows would not be tried.
            if addresses.try_push(address).is_err() {
                break;
            }
        }
        Ok(addresses)
    }
}

impl Resolver for PublicResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (Some(host), Some(scheme)) = (uri.host(), uri.scheme_str()) else {
            return Err(ureq::Error::HostNotFound);
        };
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        let found = self.look_up(uri, host, port, config, timeout)?;
        if found.is_empty() {
            return Err(ureq::Error::HostNotFound);
        }
        if allows(&self.allow_hosts, host, port) {
            return Ok(found);
        }
        let mut public = self.empty();
        for address in found.iter().filter(|address| is_public(address.ip())) {
            public.push(*address);
        }
        if public.is_empty() {
            return Err(ureq::Error::Other(Box::new(NotPublic)));
        }
        Ok(public)
    }
}

impl fmt::Debug for PublicResolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PublicResolver")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn what_is_inside_is_not_public_in_any_form() {
        for inside in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "100:0:0:1::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:a00:1::1",
            "2002:c0a8:101::1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ffff::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
    }

    #[test]
    fn what_is_outside_is_public() {
        for outside in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2002:808:808::1",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    /// A name that first leads outside and then inside: no request goes by an earlier look-up.
    #[test]
    fn each_resolution_is_judged_by_what_it_finds() {
        let found = |ips: &[&str]| -> Vec<SocketAddr> {
            ips.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 80)).collect()
        };
        let answers = Mutex::new(VecDeque::from([
            found(&["8.8.8.8"]),
            found(&["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1111"]),
            found(&["127.0.0.1"]),
            found(&[]),
        ]));
        let lookup = move |_: &str, _: u16| Ok(answers.lock().unwrap().pop_front().unwrap());
        let resolver = PublicResolver::new(&[], Some(Arc::new(lookup)));
        let uri: Uri = "http://moves.example/".parse().unwrap();
        let resolve = || {
            let timeout = NextTimeout {
                after: ureq::unversioned::transport::time::Duration::NotHappening,
                reason: ureq::Timeout::Global,
                ..NextTimeout::default()
            };
            resolver.resolve(&uri, &Config::default(), timeout).map(|found| found.to_vec())
        };
        assert_eq!(resolve().unwrap(), found(&["8.8.8.8"]));
        assert_eq!(resolve().unwrap(), found(&["8.8.8.8", "2606:4700::1111"]));
        let refused = resolve().unwrap_err();
        assert!(matches!(refused, ureq::Error::Other(error) if error.is::<NotPublic>()));
        assert!(matches!(resolve().unwrap_err(), ureq::Error::HostNotFound));
    }

    #[test]
    fn a_host_is_allowed_by_name_or_with_its_port() {
        let allow = ["Inside.example", "10.0.0.1:8080", "[::1]"].map(str::to_owned);
        for (host, port, allowed) in [
            ("inside.example", 80, true),
            ("INSIDE.example.", 9, true),
            ("x.inside.example", 80, false),
            ("inside.example.evil.example", 80, false),
            ("10.0.0.1", 8080, true),
            ("10.0.0.1", 8081, false),
            ("10.0.0.1", 80, false),
            ("[::1]", 1, true),
        ] {
            assert_eq!(allows(&allow, host, port), allowed, "{host}:{port}");
        }
    }
}
