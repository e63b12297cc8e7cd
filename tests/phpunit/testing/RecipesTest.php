<?php

declare(strict_types=1);

/** The code that recipes of the book show is the code of their examples. */
final class RecipesTest extends PHPUnit\Framework\TestCase
{
    private const ROOT = __DIR__ . '/../../..';

    /** @dataProvider recipes */
    public function testCodeIsThatOfTheExample(string $page): void
    {
        $example = substr(basename($page, '.md'), strlen('recipe-'));
        $sources = '';
        $files = new RecursiveDirectoryIterator(self::ROOT . "/examples/$example", FilesystemIterator::SKIP_DOTS);
        foreach (new RecursiveIteratorIterator($files) as $file) {
            $sources .= file_get_contents($file->getPathname()) . "\n";
        }
        $pattern = '/^```(?:php|js|html|toml|sql)\n(.*?)^```$/ms';
        self::assertGreaterThan(0, preg_match_all($pattern, file_get_contents($page), $found));
        foreach ($found[1] as $code) {
            self::assertStringContainsString(self::unindented($code), self::unindented($sources));
        }
    }

    public function recipes(): iterable
    {
        foreach (glob(self::ROOT . '/docs/recipe-*.md') as $page) {
            yield basename($page) => [$page];
        }
    }

    /** The page may show code without its indentation. */
    private static function unindented(string $code): string
    {
        return preg_replace('/^ +/m', '', $code);
    }
}
