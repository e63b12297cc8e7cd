<?php

/**
 * Gives the page a grant for the groups that its user has joined.
 */

declare(strict_types=1);

use GatewayWorker\Lib\Gateway;

require __DIR__ . '/../../plain-php/src/functions.php';
require __DIR__ . '/../src/Gateway.php';

header('Content-Type: text/plain');
header('Cache-Control: no-store');
startSession();
$user_id = requireUserOfScript();
echo Gateway::grant($user_id);
