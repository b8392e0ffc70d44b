use super::*;

fn choose<'a>(directories: &'a [PrioritisedDirectory], free: &[(&str, u64)], size: u64) -> Option<&'a str> {
    choose_directory(directories, size, |path| {
        free.iter().find(|(name, _)| *name == path).map_or(0, |(_, free)| *free)
    })
}

#[test]
fn the_first_priority_with_room_wins_and_there_the_roomiest() {
    let directories: Vec<_> = [("c", 5), ("d", 5), ("a", 1), ("b", 1)]
        .map(|(path, priority)| PrioritisedDirectory { path: path.into(), priority })
        .into();
    let free = [("a", 100), ("b", 200), ("c", 10), ("d", 10)];
    assert_eq!(choose(&directories, &free, 5), Some("c"));
    assert_eq!(choose(&directories, &free, 10), Some("c"));
    assert_eq!(choose(&directories, &free, 11), Some("b"));
    assert_eq!(choose(&directories, &free, 50), Some("b"));
    assert_eq!(choose(&directories, &free, 500), None);
    assert_eq!(choose(&directories, &[("d", 11), ("c", 10)], 5), Some("d"));
    assert_eq!(choose(&directories, &[], 0), None, "a full directory takes not even an empty image");
}

#[test]
fn directories_are_opened_for_those_that_may_read_the_images() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    for (permissions, expected) in [
        (0o744, 0o711),
        (0o644, 0o711),
        (0o640, 0o710),
        (0o604, 0o701),
        (0o600, 0o700),
        (0o400, 0o700),
        (0, 0o700),
    ] {
        fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
        let_readers_pass(path, permissions).unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, expected, "{permissions:o}");
    }
}
