//! A private nginx in front of PHP-FPM and the daemon.

use std::fmt::Write as _;
use std::path::Path;

use tokio::net::TcpStream;

use crate::certificate::Certificate;
use crate::server::{Server, is_root};
use crate::wait::until;
use crate::{php_fpm, port};

/// nginx on a port of 127.0.0.1.
#[derive(Debug)]
pub struct Nginx {
    /// Dropping it stops nginx.
    _server: Server,
    port: u16,
}

impl Nginx {
    /// Serves folders of PHP pages, each below a path, and the daemon at `/ws`, on `port` or a free port.
    pub async fn start(
        folder: &Path,
        port: Option<u16>,
        pages: &[(&str, &Path)],
        daemon: u16,
    ) -> anyhow::Result<Self> {
        let port = port.map_or_else(port::free, Ok)?;
        Self::launch(folder, port, configuration(folder, &port.to_string(), pages, daemon)?).await
    }

    /// Serves the daemon at `/ws` over TLS, on a free port.
    pub async fn start_tls(folder: &Path, certificate: &Certificate, daemon: u16) -> anyhow::Result<Self> {
        let port = port::free()?;
        let listen = format!(
            "{port} ssl;\n    ssl_certificate {};\n    ssl_certificate_key {}",
            certificate.cert.display(),
            certificate.key.display()
        );
        Self::launch(folder, port, configuration(folder, &listen, &[], daemon)?).await
    }

    async fn launch(folder: &Path, port: u16, configuration: String) -> anyhow::Result<Self> {
        let log = folder.join("nginx.log");
        let file = folder.join("nginx.conf");
        std::fs::write(&file, configuration)?;
        let arguments = ["-e", &log.display().to_string(), "-c", &file.display().to_string()];
        let server = Server::start("nginx", &arguments.map(str::to_owned), &[], &log)?;
        until("nginx listens", &log, async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await?;
        Ok(Self { _server: server, port })
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

fn configuration(
    folder: &Path,
    listen: &str,
    pages: &[(&str, &Path)],
    daemon: u16,
) -> anyhow::Result<String> {
    let mut text = String::from("daemon off;\n");
    if is_root() {
        // The workers must run as root too, to read the sources in any folder.
        text.push_str("user root;\n");
    }
    writeln!(
        text,
        "worker_processes 1;\npid {}/nginx.pid;\nevents {{ worker_connections 512; }}",
        folder.display()
    )?;
    writeln!(
        text,
        "http {{\n  access_log off;\n  \
         types {{ text/html html; text/css css; text/javascript js; image/svg+xml svg; }}"
    )?;
    for name in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(text, "  {name}_temp_path {}/{name};", folder.display())?;
    }
    writeln!(text, "  server {{\n    listen 127.0.0.1:{listen};")?;
    writeln!(
        text,
        "    location = /ws {{\n      proxy_pass http://127.0.0.1:{daemon};\n      \
         proxy_http_version 1.1;\n      proxy_set_header Upgrade $http_upgrade;\n      \
         proxy_set_header Connection upgrade;\n      \
         proxy_set_header Host $http_host;\n      \
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n      proxy_read_timeout 75s;\n    }}"
    )?;
    for path in ["/chatpush.js", "/chatpush-worker.js", "/vapid-public-key"] {
        writeln!(text, "    location = {path} {{ proxy_pass http://127.0.0.1:{daemon}; }}")?;
    }
    for (path, pages) in pages {
        writeln!(
            text,
            "    location {path} {{\n      alias {pages}/;\n      index index.php;\n      \
             location ~ ^{path}(?<page>[a-z-]+\\.php)$ {{\n        fastcgi_pass unix:{socket};\n        \
             fastcgi_param SCRIPT_FILENAME {pages}/$page;\n{PARAMETERS}      }}\n    }}",
            pages = pages.display(),
            socket = php_fpm::socket(folder).display(),
        )?;
    }
    text.push_str("  }\n}\n");
    Ok(text)
}

/// The CGI variables (RFC 3875 section 4.1).
const PARAMETERS: &str = "        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param QUERY_STRING $query_string;
        fastcgi_param CONTENT_TYPE $content_type;
        fastcgi_param CONTENT_LENGTH $content_length;
        fastcgi_param SCRIPT_NAME $uri;
        fastcgi_param REQUEST_URI $request_uri;
        fastcgi_param SERVER_PROTOCOL $server_protocol;
        fastcgi_param REMOTE_ADDR $remote_addr;
        fastcgi_param SERVER_NAME $host;
        fastcgi_param SERVER_PORT $server_port;
";
