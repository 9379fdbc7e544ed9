//! Where a request comes from: the peer of its connection, or, behind a proxy that the settings
//! name, the address that the proxy reports in `X-Forwarded-For`.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Returns the address of the client. Each proxy appends the address that it has seen, so the list
/// is read from its end for as long as it is a trusted proxy that speaks; what stands before that
/// may be invented. `None` if the connection has no address, or if its proxy reports none that can
/// be read: what others do must not count against the proxy, which speaks for everybody.
pub(crate) fn client(
    peer: Option<SocketAddr>,
    headers: &HeaderMap,
    trusted_proxies: &[IpAddr],
) -> Option<IpAddr> {
    let mut address = peer?.ip().to_canonical();
    let trusted = |address: &IpAddr| trusted_proxies.contains(address);
    let reports = headers.get_all(FORWARDED_FOR);
    let headers: Vec<&str> = reports.map(|value| value.to_str().unwrap_or_default()).collect();
    let mut reported = headers.iter().rev().flat_map(|value| value.rsplit(','));
    while trusted(&address) {
        let Some(before) = reported.next() else { break };
        address = reported_address(before.trim())?.to_canonical();
    }
    Some(address)
}

/// Reads an address as proxies write it: alone, in brackets, or with a port.
fn reported_address(text: &str) -> Option<IpAddr> {
    let alone = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    alone.parse().or_else(|_| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn seen(peer: &str, headers: &[&str], trusted: &[&str]) -> String {
        let mut request = TestRequest::default().peer_addr(format!("{peer}:4711").parse().unwrap());
        for value in headers {
            request = request.append_header((FORWARDED_FOR, *value));
        }
        let trusted: Vec<IpAddr> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let request = request.to_http_request();
        let client = client(request.peer_addr(), request.headers(), &trusted);
        client.map_or_else(|| "nobody".to_owned(), |address| address.to_string())
    }

    #[test]
    fn only_what_trusted_proxies_report_is_believed() {
        let (proxy, outer) = ("10.0.0.1", "10.0.0.2");
        assert_eq!(seen("198.51.100.9", &["203.0.113.7"], &[proxy]), "198.51.100.9");
        assert_eq!(seen(proxy, &["203.0.113.7"], &[proxy]), "203.0.113.7");
        // What the client has put there itself stands further in front.
        assert_eq!(seen(proxy, &["192.0.2.1, 203.0.113.7"], &[proxy]), "203.0.113.7");
        assert_eq!(seen(proxy, &["192.0.2.1", "203.0.113.7"], &[proxy]), "203.0.113.7");
        assert_eq!(seen(proxy, &["203.0.113.7, 10.0.0.2"], &[proxy, outer]), "203.0.113.7");
        assert_eq!(seen(proxy, &[], &[proxy]), proxy);
    }

    #[test]
    fn every_form_of_a_reported_address_is_read_and_no_other() {
        let proxy = "10.0.0.1";
        for (reported, expected) in [
            ("203.0.113.7:4711", "203.0.113.7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("192.0.2.1, 203.0.113.7:80, 10.0.0.1:443", "203.0.113.7"),
            ("unknown", "nobody"),
            ("203.0.113.7, unknown", "nobody"),
            ("203.0.113.7, _hidden", "nobody"),
            ("203.0.113.7,", "nobody"),
            ("", "nobody"),
            ("203.0.113.7:99999", "nobody"),
        ] {
            assert_eq!(seen(proxy, &[reported], &[proxy]), expected, "{reported:?}");
        }
    }
}
