//! Tokens that are kept, shared and replaced.

use super::*;

#[test]
fn a_hundred_operations_ask_keystone_once() {
    let (keystone, service, store) = (Fake::keystone(3600), Fake::taking("token-0"), Store::new());
    for _ in 0..50 {
        let session = store.demo(&keystone.url(""));
        assert_eq!(store.ask(&session, &service.url("/c/o")).unwrap(), 204);
        run(async move { session.endpoint(&object_store()).await.map(drop) }).unwrap();
    }
    assert_eq!(keystone.targets(), ["/v3/auth/tokens"]);
    assert_eq!(service.count(), 50);
}

/// Runs `count` requests side by side.
fn side_by_side(store: &Store, session: &Arc<Session>, service: &Fake, count: usize) -> Vec<Result<u16>> {
    let (client, session, service) = (store.client.clone(), session.clone(), service.url("/c/o"));
    let all = async move {
        let asks = (0..count).map(|_| {
            let (client, target) = (client.clone(), target(&session, &service));
            tokio::spawn(async move { status(&client, target).await })
        });
        let mut results = Vec::new();
        for ask in Vec::from_iter(asks) {
            results.push(ask.await.unwrap());
        }
        Ok(results)
    };
    run(all).unwrap()
}

#[test]
fn who_comes_at_the_same_time_shares_a_token() {
    let (keystone, service, store) = (Fake::keystone(3600), Fake::taking("token-0"), Store::new());
    let session = store.demo(&keystone.url(""));
    let results = side_by_side(&store, &session, &service, 20);
    assert!(results.iter().all(|result| matches!(result, Ok(204))), "{results:?}");
    assert_eq!(keystone.count(), 1);
}

#[test]
fn who_comes_at_the_same_time_shares_a_failure() {
    let keystone = Fake::answering(answer("401 No", "", b""));
    let (service, store) = (Fake::taking("token-0"), Store::new());
    let session = store.demo(&keystone.url(""));
    for result in side_by_side(&store, &session, &service, 20) {
        assert_error(&result.unwrap_err(), Kind::NotAuthenticated, &keystone.url("/v3/"));
    }
    assert_eq!((keystone.count(), service.count()), (1, 0));
}

#[test]
fn a_token_that_ends_soon_is_replaced() {
    for (life, margin, tokens) in
        [(3600, 60, 1), (3600, 3599, 1), (3600, 3600, 3), (50, 60, 3), (50, 0, 1), (4, 0, 3), (0, 0, 3)]
    {
        let (keystone, store) = (Fake::keystone(life), Store::with_margin(margin));
        let service = Fake::answering(answer("204 Fine", "", b""));
        let session = store.demo(&keystone.url(""));
        for _ in 0..3 {
            store.ask(&session, &service.url("/c/o")).unwrap();
        }
        assert_eq!(keystone.count(), tokens, "{life} s, {margin} s before its end");
    }
}

#[test]
fn a_refused_token_is_replaced_once_for_all() {
    let (keystone, service, store) = (Fake::keystone(3600), Fake::taking("token-1"), Store::new());
    let session = store.demo(&keystone.url(""));
    let results = side_by_side(&store, &session, &service, 8);
    assert!(results.iter().all(|result| matches!(result, Ok(204))), "{results:?}");
    assert_eq!(keystone.count(), 2);
}

#[test]
fn a_second_refusal_is_the_answer() {
    let (keystone, service, store) = (Fake::keystone(3600), Fake::taking("none"), Store::new());
    let session = store.demo(&keystone.url(""));
    assert_eq!(store.ask(&session, &service.url("/c/o")).unwrap(), 401);
    assert_eq!((keystone.count(), service.count()), (2, 2));
}

#[test]
fn the_same_token_again_is_not_tried_again() {
    let keystone = Fake::answering(granted("token-0", 3600));
    let (service, store) = (Fake::taking("none"), Store::new());
    let session = store.demo(&keystone.url(""));
    assert_eq!(store.ask(&session, &service.url("/c/o")).unwrap(), 401);
    assert_eq!((keystone.count(), service.count()), (2, 1));
}

#[test]
fn what_is_not_about_the_token_costs_no_token() {
    for status in ["403 No", "404 No"] {
        let (keystone, store) = (Fake::keystone(3600), Store::new());
        let service = Fake::answering(answer(status, "", b""));
        store.ask(&store.demo(&keystone.url("")), &service.url("/c/o")).unwrap();
        assert_eq!((keystone.count(), service.count()), (1, 1), "{status}");
    }
}

#[test]
fn every_identity_has_its_own_token() {
    let (first, second, store) = (Fake::keystone(3600), Fake::keystone(3600), Store::new());
    let same = [store.demo(&first.url("")), store.demo(&first.url("/v3/"))];
    assert!(Arc::ptr_eq(&same[0], &same[1]));
    let other = store.demo(&second.url(""));
    for session in [&same[0], &other] {
        let session = session.clone();
        run(async move { session.endpoint(&object_store()).await.map(drop) }).unwrap();
    }
    assert_eq!((first.count(), second.count()), (1, 1));
}

#[test]
fn sessions_of_long_ago_are_forgotten_and_those_in_use_are_not() {
    let store = Store::new();
    let used = Arc::downgrade(&store.demo("http://keystone.example"));
    let left = Arc::downgrade(&store.demo("http://keystone.example:1"));
    for port in 2..100 {
        store.demo(&format!("http://keystone.example:{port}"));
        store.demo("http://keystone.example");
    }
    assert!(used.upgrade().is_some());
    assert!(left.upgrade().is_none());
}
