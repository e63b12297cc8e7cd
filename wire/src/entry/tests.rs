use super::*;

fn fields<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn fields_appended_by_the_scripts_are_read() {
    let fields =
        fields([("v", crate::VERSION), ("k", "e"), ("r", "2"), ("i", "7:a"), ("l", "1"), ("q", "C.1")]);
    let receiver = UserId::try_from(2).unwrap();
    let id = MessageId::try_from("7:a".to_owned()).unwrap();
    let caller = Some("C.1".to_owned());
    let expected = Entry::Duplicate { receiver, id, receiver_online: true, reply_to: caller };
    assert_eq!(Entry::decode(&fields, UserIdType::Int), Ok(expected));
    assert_eq!(reply_to(&fields), Some("C.1"));
    assert_eq!(without_reply_to(&fields).count(), 5);
}

/// A barrier would otherwise not wait for it.
#[test]
fn head_of_a_readable_entry_names_its_receivers() {
    let user = |id| UserId::try_from(id).unwrap();
    for kind in kind::TO_ONE {
        let head = fields([("v", crate::VERSION), ("k", kind), ("r", "2")]);
        assert_eq!(receivers(&head, UserIdType::Int), Ok(vec![user(2)]), "{kind}");
    }
    for kind in kind::TO_MANY {
        let head = fields([("v", crate::VERSION), ("k", kind), ("r", "2\n66")]);
        assert_eq!(receivers(&head, UserIdType::Int), Ok(vec![user(2), user(66)]), "{kind}");
    }
    for (at, bad) in [(0, "later"), (1, "?"), (2, "0")] {
        for kind in ["z", "g"] {
            let mut head = fields([("v", crate::VERSION), ("k", kind), ("r", "2")]);
            head[at].1 = bad.to_owned();
            assert_eq!(
                receivers(&head, UserIdType::Int).err(),
                Entry::decode(&head, UserIdType::Int).err(),
                "{bad}"
            );
        }
    }
    assert!(receivers(&[], UserIdType::Int).is_err());
}

#[test]
fn each_receiver_of_many_has_a_mark() {
    let entry = |kind, receivers, marks| {
        Entry::decode(
            &fields([
                ("v", crate::VERSION),
                ("k", kind),
                ("r", receivers),
                ("i", "7:a"),
                ("s", "7"),
                ("c", "hi"),
                ("l", marks),
                ("q", "C.1"),
            ]),
            UserIdType::Int,
        )
    };
    let addressee =
        |id, online, repeated| Addressee { user: UserId::try_from(id).unwrap(), online, repeated };
    let all = [(2, true, false), (66, false, false), (130, true, true), (194, false, true)]
        .map(|(id, online, repeated)| addressee(id, online, repeated));
    let Ok(Entry::MessageToMany { receivers, content, reply_to, .. }) = entry("g", "2\n66\n130\n194", "10Dd")
    else {
        panic!("it is a message to many");
    };
    assert_eq!((receivers, content.as_str(), reply_to.as_deref()), (all.to_vec(), "hi", Some("C.1")));
    let repeated = entry("h", "130", "D").unwrap();
    let Entry::DuplicateToMany { receivers, .. } = repeated else { panic!("{repeated:?}") };
    assert_eq!(receivers, [all[2].clone()]);
    for bad in [entry("g", "2\n66", "1"), entry("g", "2", "10"), entry("g", "2", "?")] {
        assert_eq!(bad, Err(Malformed::Field("l")));
    }
    for bad in [entry("g", "", ""), entry("g", "2\n", "10"), entry("g", "2\n0", "10")] {
        assert_eq!(bad, Err(Malformed::Field("r")));
    }
}

#[test]
fn message_of_a_malformed_entry_is_known() {
    let entry = |kind, receivers, marks| {
        let pairs = [("v", "9"), ("k", kind), ("r", receivers), ("i", "7:a"), ("l", marks), ("o", "? ?")];
        message(&fields(pairs), UserIdType::Int).map(|(receivers, id)| {
            let receivers: Vec<_> = receivers.iter().map(ToString::to_string).collect();
            (receivers.join(" "), id.as_str().to_owned())
        })
    };
    let known = |receivers: &str| Some((receivers.to_owned(), "7:a".to_owned()));
    assert_eq!(entry("m", "2", "0"), known("2"));
    assert_eq!(entry("g", "2\n66\n130\n?", "0dD1"), known("2"));
    assert_eq!(entry("g", "2\n66", ""), known("2 66"));
    assert_eq!(entry("h", "2", "d"), None, "a repeated call has no message of its own");
}

#[test]
fn the_error_names_the_field() {
    let with = |name: &str, value: &str| {
        let mut fields = fields([("v", crate::VERSION), ("k", "z"), ("r", "2")]);
        fields.retain(|(field, _)| field != name);
        fields.push((name.to_owned(), value.to_owned()));
        Entry::decode(&fields, UserIdType::Int)
    };
    assert_eq!(with("v", "2"), Err(Malformed::Version { found: "2".to_owned() }));
    assert_eq!(with("k", "?"), Err(Malformed::EntryKind("?".to_owned())));
    assert_eq!(with("r", "0"), Err(Malformed::Field("r")));
    assert_eq!(Entry::decode(&[], UserIdType::Int), Err(Malformed::Field("v")));
}
