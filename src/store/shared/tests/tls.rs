//! Connections through a proxy that speaks TLS.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::proxy::Proxy;
use super::{PgConnector, PgOptions, Place, PostgresServer, Purpose, block_on, number};

const AUTHORITY: &str = include_str!("../../../../tests/it/pages/authority.crt");
const OTHER: &str = include_str!("../../../../tests/it/pages/selfsigned.crt");
const CERTIFICATE: &[u8] = include_bytes!("../../../../tests/it/pages/signed.crt");
const KEY: &[u8] = include_bytes!("../../../../tests/it/pages/signed.key");

/// Starts a proxy with the certificate, which passes on to the server what was encrypted; its port.
async fn start_tls() -> u16 {
    let config =
        ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()],
                PrivateKeyDer::from_pem_slice(KEY).unwrap(),
            )
            .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = format!("{}/.s.PGSQL.5432", PostgresServer::shared().folder());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (acceptor, socket) = (acceptor.clone(), socket.clone());
            tokio::spawn(async move {
                // The request for TLS, which the server itself refuses on its socket.
                let mut request = [0; 8];
                client.read_exact(&mut request).await.unwrap();
                assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47]);
                client.write_all(b"S").await.unwrap();
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut server = UnixStream::connect(socket).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

fn connector(port: u16, authority: &str) -> PgConnector {
    let url = format!("postgres://answerd@127.0.0.1:{port}/postgres?sslmode=require");
    let authorities = vec![authority.to_owned()];
    let options = PgOptions { url, authorities, ..Place::empty().options };
    PgConnector::new(&options).unwrap()
}

#[test]
fn connection_is_encrypted_and_the_certificate_is_verified() {
    block_on(async {
        let port = start_tls().await;
        let session = connector(port, AUTHORITY).connect(Purpose::Setup).await.unwrap();
        assert_eq!(number(&session, "SELECT 42::int8").await, 42);
        let refused = connector(port, OTHER).connect(Purpose::Setup).await.err().unwrap();
        assert!(refused.to_string().contains("certificate"), "{refused}");
    });
}

#[test]
fn server_without_tls_is_refused_where_it_is_demanded() {
    let proxy = Proxy::start(PostgresServer::shared().folder());
    block_on(async {
        let refused = connector(proxy.port, AUTHORITY).connect(Purpose::Setup).await;
        let refused = refused.err().unwrap();
        assert!(refused.to_string().contains("does not support TLS"), "{refused}");
    });
}
