//! Which pages may connect, and through which proxies.

use super::setting::Setting;
use super::source::Source;
use crate::net::client_ip::TrustedProxies;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::text("allowed_origins", "", "Origins whose pages may connect, separated by spaces").details(
        "Such as `https://chat.example.com` or `https://*.example.com`; `*` allows all. Empty: only pages of \
         the host that they connect to.",
    ).reloads(),
    Setting::text(
        "trusted_proxies",
        "127.0.0.0/8 ::1",
        "Trusted reverse proxies: their X-Forwarded-For is believed",
    )
    .details(
        "Addresses and networks, separated by spaces. nginx needs `proxy_set_header X-Forwarded-For \
         $proxy_add_x_forwarded_for;`. If a program on this machine forwards bytes unchanged (stunnel, ssh \
         -L), remove this machine from the list: clients could forge the header.",
    ).reloads_with("proxy_protocol"),
    Setting::boolean("proxy_protocol", false, "Whether the trusted proxies speak the PROXY protocol instead")
        .details("haproxy and nginx's stream module can. `true`: only the trusted proxies can connect."),
];

/// The trusted proxies, and whether they speak the PROXY protocol.
pub(super) fn proxies(source: &mut Source) -> Option<(TrustedProxies, bool)> {
    let trusted = source.parse("trusted_proxies", TrustedProxies::parse);
    let proxy_protocol = source.boolean("proxy_protocol");
    let (trusted, proxy_protocol) = (trusted?, proxy_protocol?);
    if proxy_protocol && trusted == TrustedProxies::default() {
        source.error("trusted_proxies", "must not be empty with proxy_protocol: nobody could connect");
    }
    Some((trusted, proxy_protocol))
}
