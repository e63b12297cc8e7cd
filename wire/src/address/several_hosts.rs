//! Addresses with several hosts: of Sentinels, and of the nodes of a cluster. A `Url` has one host, so each is read as the
//! host of a URL of its own.

use url::Url;

use super::{
    Address, Location, Nodes, PORT, Problem, Sentinels, authority, database, decoded, host_and_port,
    non_empty,
};

/// Where Sentinels listen.
const SENTINEL_PORT: u16 = 26379;

/// Hosts, and the rest of the address as a URL with one host.
struct SeveralHosts {
    hosts: Vec<(String, u16)>,
    url: Url,
}

impl SeveralHosts {
    /// `rest`: what follows the scheme. `port`: of hosts without one.
    fn parse(rest: &str, port: u16) -> Result<Self, Problem> {
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let url = |text: String| Url::parse(&text).map_err(|_| Problem::Form);
        let hosts = hosts.split(',').map(|host| host_and_port(&url(format!("redis://{host}"))?, port));
        let hosts = hosts.collect::<Result<_, _>>()?;
        let url = url(format!("redis://{login}@host{path}"))?;
        if url.fragment().is_some() {
            return Err(Problem::Fragment);
        }
        if url.query().is_some() {
            return Err(Problem::QueryOfTcp);
        }
        Ok(Self { hosts, url })
    }
}

impl Address {
    /// `rest`: what follows the scheme.
    pub(super) fn sentinel(rest: &str, tls: bool) -> Result<Self, Problem> {
        let SeveralHosts { hosts, url } = SeveralHosts::parse(rest, SENTINEL_PORT)?;
        let path = url.path().strip_prefix('/').unwrap_or_default();
        let (master, path) = path.split_once('/').unwrap_or((path, ""));
        let master = non_empty(decoded(master)?).ok_or(Problem::Master)?;
        let location = Location::Sentinel(Box::new(Sentinels { hosts, master, tls }));
        Self::with_login(location, &url, database(path)?)?.with_whole_login()
    }

    /// `rest`: what follows the scheme.
    pub(super) fn cluster(rest: &str, tls: bool) -> Result<Self, Problem> {
        let SeveralHosts { hosts, url } = SeveralHosts::parse(rest, PORT)?;
        if database(url.path())? != 0 {
            return Err(Problem::ClusterDatabase);
        }
        let location = Location::Cluster(Box::new(Nodes { hosts, tls }));
        Self::with_login(location, &url, 0)?.with_whole_login()
    }
}

/// Hosts and ports as they stand in an address.
pub(super) fn text(hosts: &[(String, u16)]) -> String {
    let hosts: Vec<_> = hosts.iter().map(|(host, port)| authority(host, *port)).collect();
    hosts.join(",")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, problem};
    use super::*;

    fn sentinels(hosts: &[(&str, u16)], master: &str, tls: bool) -> Location {
        let hosts = hosts.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect();
        Location::Sentinel(Box::new(Sentinels { hosts, master: master.to_owned(), tls }))
    }

    #[test]
    fn sentinels_are_parsed() {
        let one = parse("redis+sentinel://s1/mymaster");
        assert_eq!(one.location, sentinels(&[("s1", 26379)], "mymaster", false));
        assert_eq!((one.user, one.password, one.database), (None, None, 0));
        let several = parse("rediss+sentinel://me:p%40ss@s1:1,[::1],10.0.0.3:26380/my%20master/3");
        let hosts = [("s1", 1), ("::1", 26379), ("10.0.0.3", 26380)];
        assert_eq!(several.location, sentinels(&hosts, "my master", true));
        assert_eq!(
            (several.user.as_deref(), several.password.as_deref(), several.database),
            (Some("me"), Some("p@ss"), 3)
        );
        assert_eq!(
            several.to_string(),
            "rediss+sentinel://me:***@s1:1,[::1]:26379,10.0.0.3:26380/my master/3"
        );
    }

    #[test]
    fn sentinels_need_a_master_and_nothing_is_ignored() {
        for text in ["redis+sentinel://s1", "redis+sentinel://s1,s2/", "redis+sentinel://s1//3"] {
            assert_eq!(problem(text), Problem::Master, "{text}");
        }
        for text in
            ["redis+sentinel:///m", "redis+sentinel://s1,/m", "redis+sentinel://s1:x/m", "sentinel://s1/m"]
        {
            assert_eq!(problem(text), Problem::Form, "{text}");
        }
        assert_eq!(problem("redis+sentinel://s1/m/x"), Problem::Database);
        assert_eq!(problem("redis+sentinel://s1/m/3/4"), Problem::Database);
        assert_eq!(problem("redis+sentinel://s1/m?db=3"), Problem::QueryOfTcp);
        assert_eq!(problem("redis+sentinel://s1/m#3"), Problem::Fragment);
        assert_eq!(problem("redis+sentinel://me@s1/m"), Problem::NoPassword);
        assert_eq!(problem("redis+sentinel://me:a/b@s1/m"), Problem::Unencoded);
        assert_eq!(problem("redis+sentinel://me:100%@s1/m"), Problem::Percent);
    }

    #[test]
    fn nodes_of_a_cluster_are_parsed() {
        let address = parse("rediss+cluster://me:p%40ss@n1,[::1]:7001");
        let hosts = vec![("n1".to_owned(), 6379), ("::1".to_owned(), 7001)];
        assert_eq!(address.location, Location::Cluster(Box::new(Nodes { hosts, tls: true })));
        assert_eq!((address.user.as_deref(), address.password.as_deref()), (Some("me"), Some("p@ss")));
        assert_eq!(address.to_string(), "rediss+cluster://me:***@n1:6379,[::1]:7001");
        assert_eq!(parse("redis+cluster://n1/0").to_string(), "redis+cluster://n1:6379");
    }

    #[test]
    fn cluster_has_no_databases_and_nothing_is_ignored() {
        assert_eq!(problem("redis+cluster://n1/3"), Problem::ClusterDatabase);
        assert_eq!(problem("redis+cluster://n1/x"), Problem::Database);
        assert_eq!(problem("redis+cluster://n1?db=3"), Problem::QueryOfTcp);
        assert_eq!(problem("redis+cluster://n1,"), Problem::Form);
        assert_eq!(problem("redis+cluster://me@n1"), Problem::NoPassword);
    }
}
