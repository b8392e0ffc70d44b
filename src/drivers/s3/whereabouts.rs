//! Where a bucket is: the configuration says, and its server may know better.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::endpoint::Endpoint;
use super::errors::Refusal;

/// Where requests for a bucket go and which region they are signed for.
pub struct Whereabouts(Mutex<Place>);

/// One place where a bucket may be.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    endpoint: Endpoint,
    region: String,
}

impl Whereabouts {
    pub fn new(endpoint: Endpoint, region: &str) -> Self {
        Whereabouts(Mutex::new(Place { endpoint, region: region.to_owned() }))
    }

    pub fn place(&self) -> Place {
        self.lock().clone()
    }

    pub fn endpoint(&self) -> Endpoint {
        self.lock().endpoint.clone()
    }

    pub fn region(&self) -> String {
        self.lock().region.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what the refusal of a request, which was sent to `asked`, says of the region and the host of
    /// `bucket`.  False: it has been where the bucket is for all that is known.
    pub fn learn(&self, refusal: &Refusal, asked: &Place, bucket: &str) -> bool {
        let is_redirect = matches!(refusal.status, 301 | 302 | 307 | 308);
        if !is_redirect && !matches!(refusal.status, 400 | 403) {
            return false;
        }
        let mut place = self.lock();
        if *place != *asked {
            // Another request has learnt it.
            return true;
        }
        let region = refusal.region.as_deref().unwrap_or(&place.region).to_owned();
        let is_new_region = region != place.region;
        let by_region = place.endpoint.in_region(&region).filter(|_| is_redirect || is_new_region);
        let by_host = refusal.host.as_deref().filter(|_| is_redirect);
        let by_host = by_host.and_then(|host| place.endpoint.moved_to(host, bucket));
        let moved = by_region.or(by_host).filter(|moved| *moved != place.endpoint);
        let is_moved = moved.is_some();
        let endpoint = moved.unwrap_or_else(|| place.endpoint.clone());
        *place = Place { endpoint, region };
        is_moved || is_new_region
    }
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::Addressing;
    use super::*;
    use crate::tests::Random;

    /// What a sequence of refusals, each with status, region and host, teaches: whether each was new, and
    /// then host and region.
    fn teach(host: &str, refusals: &[(u16, &str, &str)]) -> (Vec<bool>, String, String) {
        let endpoint = Endpoint::parse(host, Addressing::Auto).unwrap();
        let whereabouts = Whereabouts::new(endpoint, "us-east-1");
        let told = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let learnt = refusals.iter().map(|(status, region, host)| {
            let (region, host) = (told(region), told(host));
            let refusal = Refusal { status: *status, region, host, ..Refusal::default() };
            whereabouts.learn(&refusal, &whereabouts.place(), "glance")
        });
        (learnt.collect(), whereabouts.endpoint().service(), whereabouts.region())
    }

    #[test]
    fn a_server_knows_better() {
        for (host, refusals, learnt, service, region) in [
            ("http://h:9", &[(400, "here", ""), (400, "here", "")][..], &[true, false][..], "h:9", "here"),
            ("http://h", &[(404, "here", "x.h"), (503, "here", ""), (400, "", "x.h")], &[false; 3], "h", "us-east-1"),
            ("https://s3.h", &[(307, "", "glance.eu.s3.h")], &[true], "eu.s3.h", "us-east-1"),
            ("https://s3.h", &[(307, "", "evil.h"), (301, "", "s3.evil")], &[false; 2], "s3.h", "us-east-1"),
        ] {
            let expected = (learnt.to_vec(), service.to_owned(), region.to_owned());
            assert_eq!(teach(host, refusals), expected, "{refusals:?}");
        }
    }

    #[test]
    fn requests_that_were_under_way_learn_it_too() {
        let endpoint = Endpoint::parse("https://s3.h", Addressing::Auto).unwrap();
        let whereabouts = Whereabouts::new(endpoint, "us-east-1");
        let refusal = Refusal { status: 400, region: Some("here".into()), ..Refusal::default() };
        let before = whereabouts.place();
        assert!(whereabouts.learn(&refusal, &before, "glance"));
        assert!(whereabouts.learn(&refusal, &before, "glance"));
        assert!(!whereabouts.learn(&refusal, &whereabouts.place(), "glance"));
        assert!(!whereabouts.learn(&Refusal { status: 404, ..Refusal::default() }, &before, "glance"));
    }

    #[test]
    fn aws_sends_to_the_region() {
        for refusals in [
            &[(301, "eu-west-1", "")][..],
            &[(307, "", "glance.s3.eu-west-1.amazonaws.com"), (400, "eu-west-1", "")],
            &[(400, "eu-west-1", "")],
        ] {
            let (learnt, service, region) = teach("https://s3.amazonaws.com", refusals);
            assert_eq!(learnt.last(), Some(&true), "{refusals:?}");
            assert_eq!((&*service, &*region), ("s3.eu-west-1.amazonaws.com", "eu-west-1"), "{refusals:?}");
        }
    }

    #[test]
    fn nothing_that_a_server_says_leads_away_from_it() {
        const HOSTS: [&str; 3] = ["https://s3.amazonaws.com", "https://s3.eu-west-1.amazonaws.com", "https://s3.h:9000"];
        const TOKENS: &[&str] = &[
            "evil.example", ".", "/", "@", ":", "#", "?", "\\", "%2e", "eu-west-2", "s3.amazonaws.com", ".s3.h:9000", "[::1]",
        ];
        let mut random = Random::new();
        let mut learnt = 0;
        for _ in 0..20_000 {
            let home = HOSTS[random.below(HOSTS.len())];
            let mut told = [b"eu-central-1".to_vec(), b"glance.eu.s3.h:9000".to_vec()];
            for text in &mut told {
                (0..random.below(4)).for_each(|_| random.mutate(text, TOKENS));
            }
            let [region, host] = told.map(|text| String::from_utf8_lossy(&text).into_owned());
            let status = [301, 307, 400, 403][random.below(4)];
            let whereabouts = Whereabouts::new(Endpoint::parse(home, Addressing::Auto).unwrap(), "us-east-1");
            let refusal = Refusal { status, region: Some(region), host: Some(host), ..Refusal::default() };
            learnt += usize::from(whereabouts.learn(&refusal, &whereabouts.place(), "glance"));
            let url = whereabouts.endpoint().object_url("glance", "k", &[]).unwrap();
            let (reached, own) = (&url.origin().host, if home.contains("aws") { ".amazonaws.com" } else { "s3.h" });
            assert!(reached.ends_with(own), "{refusal:?} leads to {url}");
        }
        assert!(learnt > 1000, "{learnt}");
    }
}
