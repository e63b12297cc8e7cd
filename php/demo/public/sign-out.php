<?php

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

require_own_post();
$_SESSION = [];
session_destroy();
go('sign-in.php');
