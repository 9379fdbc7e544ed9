//! Where a request comes from: the peer of its connection, or, behind a proxy that the settings
//! name, the address that the proxy reports in `X-Forwarded-For`.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client. Each proxy appends the address that it has seen, so the list is read
/// from its end for as long as it is a trusted proxy that speaks; what stands before that may be
/// invented. `None` where the connection has no address.
pub fn client(
    peer: Option<SocketAddr>,
    headers: &HeaderMap,
    trusted_proxies: &[IpAddr],
) -> Option<IpAddr> {
    let mut address = peer?.ip().to_canonical();
    let trusted = |address: &IpAddr| trusted_proxies.contains(address);
    let headers: Vec<&str> =
        headers.get_all(FORWARDED_FOR).filter_map(|value| value.to_str().ok()).collect();
    let mut reported = headers.iter().rev().flat_map(|value| value.rsplit(','));
    while trusted(&address) {
        let Some(before) = reported.next().and_then(|text| text.trim().parse::<IpAddr>().ok())
        else {
            break;
        };
        address = before.to_canonical();
    }
    Some(address)
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
        client(request.peer_addr(), request.headers(), &trusted).unwrap().to_string()
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
        assert_eq!(seen(proxy, &["203.0.113.7, unknown"], &[proxy]), proxy);
    }
}
