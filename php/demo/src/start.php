<?php

/** Included by every page: headers, session, database. */

declare(strict_types=1);

require __DIR__ . '/conversations.php';
require __DIR__ . '/database.php';
require __DIR__ . '/delivery.php';
require __DIR__ . '/groups.php';
require __DIR__ . '/history.php';
require __DIR__ . '/people.php';
require __DIR__ . '/session.php';
require __DIR__ . '/answer.php';

header("Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    . "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
header('X-Content-Type-Options: nosniff');
header('Referrer-Policy: no-referrer');
header('Cache-Control: no-store');

start_session();
