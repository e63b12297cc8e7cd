#!/usr/bin/env php
<?php

/**
 * Hands over what chatpush could not take when it was sent. Run it every minute by cron.
 */

declare(strict_types=1);

require __DIR__ . '/../plain-php/src/functions.php';
require __DIR__ . '/functions.php';

$select = 'SELECT ' . HISTORY_COLUMNS . ' FROM history WHERE handed_over = 0 ORDER BY id LIMIT 1000';
$done = 0;
foreach (database()->query($select)->fetchAll() as $row) {
    if (!hand_over($row)) {
        // chatpush is away: the next run goes on here.
        exit(75);
    }
    $done++;
}
echo "$done handed over\n";
