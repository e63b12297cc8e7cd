<?php

declare(strict_types=1);

use ChatPush\Testing\Server;
use ChatPush\Testing\UserIdType;

/** What an installation may have set, for the tests of promises. */
enum Setting
{
    case UnreadByConversation;
    case Notify;
    case NotifyOfUnread;
    case WebPush;
    case MailboxOfOne;
    case PushOnly;
    case BigIntIds;
    case TextIds;

    /**
     * The settings of a daemon.
     *
     * @return array<string, string> by environment variable
     */
    public function environment(): array
    {
        return match ($this) {
            self::UnreadByConversation => ['CHATPUSH_UNREAD_BY_CONVERSATION' => 'true'],
            self::Notify => ['CHATPUSH_NOTIFY_AFTER' => '1'],
            self::NotifyOfUnread => ['CHATPUSH_NOTIFY_AFTER' => '1', 'CHATPUSH_NOTIFY_WHEN' => 'unread'],
            self::WebPush => self::vapid() + [
                'CHATPUSH_NOTIFY_AFTER' => '3600',
                'CHATPUSH_WEB_PUSH_SUBJECT' => 'mailto:admin@chat.example',
                'CHATPUSH_WEB_PUSH_HOSTS' => 'push.example',
            ],
            self::MailboxOfOne => ['CHATPUSH_MAILBOX_MAX_MESSAGES' => '1'],
            self::PushOnly => ['CHATPUSH_STORAGE' => 'none'],
            self::BigIntIds => ['CHATPUSH_USER_ID_TYPE' => 'bigint'],
            self::TextIds => ['CHATPUSH_USER_ID_TYPE' => 'text'],
        };
    }

    /** Sets it in php/testing. */
    public function setInMemory(): void
    {
        match ($this) {
            self::UnreadByConversation => Server::countByConversation(),
            self::Notify => Server::notify(),
            self::NotifyOfUnread => Server::notify(unread: true),
            self::WebPush => Server::allowWebPush(),
            self::MailboxOfOne => Server::limitMailboxes(1),
            self::PushOnly => Server::makePushOnly(),
            self::BigIntIds => Server::setUserIdType(UserIdType::BigInt),
            self::TextIds => Server::setUserIdType(UserIdType::Text),
        };
    }

    /** A new pair of keys. */
    private static function vapid(): array
    {
        $key = openssl_pkey_get_details(openssl_pkey_new([
            'private_key_type' => OPENSSL_KEYTYPE_EC,
            'curve_name' => 'prime256v1',
        ]))['ec'];
        $encode = fn (string $bytes) => rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
        $number = fn (string $bytes) => str_pad($bytes, 32, "\0", STR_PAD_LEFT);
        return [
            'CHATPUSH_WEB_PUSH_PUBLIC_KEY' => $encode("\4" . $number($key['x']) . $number($key['y'])),
            'CHATPUSH_WEB_PUSH_PRIVATE_KEY' => $encode($number($key['d'])),
        ];
    }
}
