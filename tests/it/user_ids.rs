//! User ids of the types `bigint` and `text`, through everything that a user has.

mod bigint;
mod kept;
mod live;
mod refused;
mod sending;
mod text;

use chatpush_tests::client::Client;
use chatpush_tests::daemon::Daemon;
use chatpush_tests::test_env::TestEnv;
use serde_json::{Value, json};

/// An installation with two users, and how each side writes their ids.
struct Chat {
    env: TestEnv,
    /// As SQL.
    sql: [&'static str; 2],
    /// As PHP.
    php: [&'static str; 2],
    /// As JSON and in a token.
    json: [&'static str; 2],
}

impl Chat {
    async fn insert_users(&self) {
        for (number, id) in self.sql.iter().enumerate() {
            let sql =
                format!("INSERT INTO `user` (id, username, password) VALUES ({id}, 'user{number}', '')");
            self.env.execute(&sql).await;
        }
    }

    async fn stored(&self, user: usize) -> Vec<String> {
        let sql =
            format!("SELECT content FROM offline_message WHERE receiver_id = {} ORDER BY id", self.sql[user]);
        self.env.query(&sql).await
    }

    async fn unread(&self, user: usize) -> i64 {
        self.env.query(&format!("SELECT unread_count FROM `user` WHERE id = {}", self.sql[user])).await[0]
    }

    /// Everything that two users do. They differ only in what their type of ids must tell apart.
    async fn goes_through_everything(&self) {
        self.insert_users().await;
        let daemon = self.env.daemon().await;
        self.stores_and_reads().await;
        let mut page = self.replays(&daemon).await;
        self.pushes(&daemon, &mut page).await;
        self.repeats().await;
        self.clears(&mut page).await;
        self.disconnects(page).await;
    }

    async fn get(&self, code: &str) -> Value {
        let [one, two] = self.php;
        let printed = self.env.php().get(&format!("$one = {one}; $two = {two}; {code}")).await;
        serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{printed}"))
    }

    /// Many rows in one batch, a read, and the application's delete.
    async fn stores_and_reads(&self) {
        let queued = self.env.php().with("chatpush.durability=queued");
        let [one, two] = self.php;
        let both = format!(
            "foreach (range(1, 9) as $i) {{ storeOfflineMessage({two}, {one}, \"m$i\"); \
             storeOfflineMessage({one}, {two}, \"n$i\"); }}"
        );
        queued.get(&both).await;
        let read =
            "echo json_encode([getUnreadCount($one), getUnreadCount($two), getOfflineMessage($one, 2)]);";
        let read = self.get(read).await;
        assert_eq!((&read[0], &read[1]), (&json!(9), &json!(9)), "{read}");
        let row = &read[2][0];
        assert_eq!(row["content"], "m1");
        // PHP has numbers where the columns do.
        let expected = self.php.map(|id| id.trim_matches('\'').to_owned());
        let spelled = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!([spelled(&row["receiver_id"]), spelled(&row["sender_id"])], expected);
        assert_eq!(row["sender_id"].is_string(), self.sql[0].starts_with('\''), "{row}");
        let deleted = self
            .get(
                "$rows = getOfflineMessage($one); \
                 echo json_encode([ChatPush\\ackOfflineMessage($two, [$rows[0]['id']]), \
                 ChatPush\\ackOfflineMessage($one, [$rows[0]['id'], $rows[1]['id']])]);",
            )
            .await;
        assert_eq!(deleted, json!([0, 2]), "rows of the other user stay");
        assert_eq!((self.stored(0).await.len(), self.stored(1).await.len()), (7, 9));
    }

    /// The stored messages come on connect, and go when they are confirmed.
    async fn replays(&self, daemon: &Daemon) -> Client {
        let mut page = daemon.connect_as(self.json[0]).await;
        for number in 3..=9 {
            let frame = page.json().await;
            assert_eq!(
                (&frame["data"], &frame["from"]),
                (&json!(format!("m{number}")), &json!(self.json[1]))
            );
            page.send_text(&json!({ "ack": [frame["id"]] }).to_string()).await;
        }
        assert_eq!(page.json().await, json!({ "type": "unread_count", "data": 9 }));
        chatpush_tests::eventually::eventually("the rows are deleted", || self.stored(0), Vec::is_empty)
            .await;
        assert_eq!(self.stored(1).await.len(), 9);
        page
    }

    /// A push, a message, a row of the application's own, and who is online.
    async fn pushes(&self, daemon: &Daemon, page: &mut Client) {
        let pushed = self
            .get(
                "echo json_encode([ChatPush\\isOnline($one), ChatPush\\isOnline($two), \
                 pushMessage($one, 'now', 'chat'), pushMessage($two, 'now', 'chat'), \
                 ChatPush\\getOnlineUsers([$two, $one, $one]), ChatPush\\pushToUsers([$one, $two], 'both', 'chat')]);",
            )
            .await;
        let one = if self.sql[0].starts_with('\'') {
            json!([self.json[0]])
        } else {
            json!([self.json[0].parse::<i64>().expect("a number")])
        };
        assert_eq!(pushed, json!([true, false, true, false, one, one]));
        let seen = [page.json().await["data"].clone(), page.json().await["data"].clone()];
        assert_eq!(seen, [json!("now"), json!("both")]);
        let sent =
            self.get("echo json_encode(ChatPush\\sendMessage($two, $one, 'sent', 'chat', 'order:1'));").await;
        assert_eq!(sent, "live");
        let frame = page.json().await;
        assert_eq!(
            (&frame["id"], &frame["from"]),
            (&json!(format!("{}:order:1", self.json[1])), &json!(self.json[1]))
        );
        page.send_text(&json!({ "ack": [frame["id"]] }).to_string()).await;
        let sql = format!(
            "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) VALUES ({}, {}, 'own', NOW())",
            self.sql[1], self.sql[0]
        );
        chatpush_tests::eventually::eventually("the row is deleted", || self.stored(0), Vec::is_empty).await;
        self.env.execute(&sql).await;
        let mut second = daemon.connect_as(self.json[0]).await;
        let frame = second.json().await;
        assert_eq!((&frame["data"], &frame["from"]), (&json!("own"), &json!(self.json[1])));
        assert!(frame["id"].as_str().is_some_and(|id| id.starts_with("row/")), "{frame}");
        second.send_text(&json!({ "ack": [frame["id"]] }).to_string()).await;
        chatpush_tests::eventually::eventually("the row is deleted", || self.stored(0), Vec::is_empty).await;
    }

    /// A repeated call with a chosen id is the same message, and of another sender another one.
    async fn repeats(&self) {
        self.get(
            "foreach ([[$one, $two], [$one, $two], [$two, $two]] as [$from, $to]) { \
             ChatPush\\sendMessage($from, $to, 'once', 'chat', 'a'); } echo 'null';",
        )
        .await;
        assert_eq!(self.stored(1).await.iter().filter(|content| *content == "once").count(), 2);
    }

    /// By the client, and by PHP.
    async fn clears(&self, page: &mut Client) {
        assert_eq!(self.unread(0).await, 10);
        page.send_text(r#"{"read":true}"#).await;
        chatpush_tests::eventually::eventually("it is cleared", || self.unread(0), |count| *count == 0).await;
        let left =
            self.get("ChatPush\\clearUnreadCount($two); echo json_encode(getUnreadCount($two));").await;
        assert_eq!((left, self.unread(1).await), (json!(0), 0));
    }

    /// The connections are closed, and the token is revoked.
    async fn disconnects(&self, page: Client) {
        assert_eq!(self.get("echo json_encode(ChatPush\\disconnectUser($two));").await, false);
        assert_eq!(self.get("echo json_encode(ChatPush\\disconnectUser($one));").await, true);
        assert_eq!(page.close_code().await, Some(4403));
    }
}
